"""Entities as FHIR resources: a Bundle with the text, and a resource for each entity of a type that has one."""
