"""The page that a person looks at: index.html, page.css, page.js."""
