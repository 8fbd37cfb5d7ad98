"""The served models: `app.build` is what Ray Serve runs; requests, batches, metrics."""
