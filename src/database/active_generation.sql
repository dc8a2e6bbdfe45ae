select id from tidemark.generation where state = 'active'
