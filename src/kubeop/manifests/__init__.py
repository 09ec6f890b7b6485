"""The platform's own objects as data: what is installed, whoever installs it."""
