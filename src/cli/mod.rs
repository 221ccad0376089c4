mod cells;
mod printers;
mod types;
