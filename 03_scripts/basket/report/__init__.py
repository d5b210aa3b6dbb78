"""How it looks: figures, workbook, pages."""
