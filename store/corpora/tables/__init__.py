"""Tables whose rows are documents: CSV, Excel, Parquet, databases. Read row by row, whatever their size."""
