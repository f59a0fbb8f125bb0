"""Files of text and tables: lines, rows, headers, downloads."""
