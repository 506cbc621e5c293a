"""Where stages run; they give the same answer anywhere."""
