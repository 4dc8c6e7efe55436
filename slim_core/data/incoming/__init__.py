"""What comes in before it is a data set: folders to choose from, archives, images inside tables, the first rows."""
