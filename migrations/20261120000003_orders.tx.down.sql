DROP TABLE order_items;

--bun:split

DROP TABLE orders;

--bun:split

DROP TABLE order_numbers;

--bun:split

DROP TABLE products;
