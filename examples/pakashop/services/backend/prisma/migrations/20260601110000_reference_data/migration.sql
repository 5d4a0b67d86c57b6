INSERT INTO flags (name, enabled) VALUES
  ('orders.open', true),
  ('pricing.discounts', true),
  ('reports.slow', true),
  ('search.meilisearch', true),
  ('fraud.strict', false),
  ('loyalty.double-points', false),
  ('moderation.strict', false),
  ('recommendations.personal', true);

INSERT INTO products (sku, name, description, price_cents)
SELECT 'sku-' || n,
       (ARRAY['Basket', 'Lamp', 'Kettle', 'Blanket', 'Chair', 'Mirror', 'Teapot'])[1 + n % 7] || ' ' || n,
       'A ' || (ARRAY['woven', 'brass', 'glazed', 'woollen', 'carved'])[1 + n % 5] || ' piece from the '
         || (ARRAY['north', 'coast', 'valley', 'hills'])[1 + n % 4],
       500 + n * 35
FROM generate_series(1, 60) AS n;

INSERT INTO coupons (code, percent) VALUES ('WELCOME', 10), ('HARVEST', 15), ('FRIDAY', 25);

INSERT INTO price_rules (sku, percent) SELECT 'sku-' || n, 5 FROM generate_series(5, 60, 5) AS n;

INSERT INTO invoice_numbers (series, last) VALUES ('main', 0);

INSERT INTO schedules (name, every_seconds) VALUES ('restock-report', 2), ('abandoned-carts', 5), ('daily-digest', 30);
