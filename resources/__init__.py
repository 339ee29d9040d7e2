"""Icons and translations, installed as ``snapgui.resources``."""
