"""What provider packages share: how a cloud is asked, and what is made of its answers.

Only providers use it. Numbers, codes and words that are one cloud's own stay in its package.
"""
