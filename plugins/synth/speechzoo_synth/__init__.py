"""Any text task as a spoken one: texts made fit for reading, spoken, listened to, and kept."""
