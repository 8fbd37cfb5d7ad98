"""The certificate of every TLS listener. `tls.ask` collects them, `expiry` judges."""
