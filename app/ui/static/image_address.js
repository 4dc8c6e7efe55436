// The server sends one address for many images, with ROW for the row of each (app/routes/images.py).
export const imageAddress = (template, row) => template.replace("ROW", row);
