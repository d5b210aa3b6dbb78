"""From an online grocer's raw order files to six notebooks and one Excel report."""
