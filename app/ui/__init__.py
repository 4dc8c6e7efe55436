"""What two or more pages share of what people see: pickers, tables, pictures, charts, messages, states of runs."""
