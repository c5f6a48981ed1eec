"""The parts of the workbook: what a cell may hold, how a workbook looks, and its short sheets."""
