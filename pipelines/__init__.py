"""The open data publisher on councillors' digital engagement."""
