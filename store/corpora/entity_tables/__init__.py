"""Entities as a table, a row an entity: CSV, Excel, Parquet, written row by row."""
