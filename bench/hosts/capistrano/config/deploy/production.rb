# One host; see deploy.rb.
