"""What the bot is compared with: two echo bots, the textbook bot, and bare SQLite commits."""
