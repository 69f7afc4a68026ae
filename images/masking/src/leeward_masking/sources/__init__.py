"""Sources as blocks of rows, whatever their format, packing and seal."""
