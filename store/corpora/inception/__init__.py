"""The files of INCEpTION and WebAnno: WebAnno TSV 3, UIMA CAS as JSON and as XMI."""
