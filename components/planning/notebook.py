"""Who may open the notebook: the user's name, and the name of the password among the stack's secrets."""

from __future__ import annotations

USER = "notebook"
SECRET = "notebook/login"
# Of the server's certificate, whichever node it runs on.
SERVER = "notebook"
# On the nodes: the SHA-256 of the only header Authorization that the server takes, certificate, and key.
DIGEST, CERTIFICATE, KEY = "notebook-login.sha256", "notebook.crt", "notebook.key"
