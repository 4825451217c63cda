"""Jobs: what is done on a schedule or because somebody asked, once, by whichever worker."""
