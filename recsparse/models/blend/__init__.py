"""The default model: parts fitted one by one, and the weights of their scores."""
