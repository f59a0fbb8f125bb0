"""`attnfocus bench`: what attentions cost over the length."""
