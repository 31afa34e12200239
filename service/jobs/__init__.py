"""Jobs as commands and programs see them: submit and watch."""
