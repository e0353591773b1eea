"""The rules of the antispam filter: facts about a message, each with a name, a sentence and bits."""
