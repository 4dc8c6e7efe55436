"""What two or more pages share of what people see: images, choices, links, charts, messages, states of runs."""
