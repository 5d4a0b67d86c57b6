-- CreateTable
CREATE TABLE "products" (
    "sku" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "description" TEXT NOT NULL,
    "price_cents" INTEGER NOT NULL,

    CONSTRAINT "products_pkey" PRIMARY KEY ("sku")
);

-- CreateTable
CREATE TABLE "product_images" (
    "id" SERIAL NOT NULL,
    "sku" TEXT NOT NULL,
    "bytes" INTEGER NOT NULL,
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "product_images_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "orders" (
    "id" SERIAL NOT NULL,
    "reference" TEXT NOT NULL,
    "customer" TEXT NOT NULL,
    "sku" TEXT NOT NULL,
    "quantity" INTEGER NOT NULL,
    "total_cents" INTEGER NOT NULL,
    "submissions" INTEGER NOT NULL DEFAULT 1,
    "settled_at" TIMESTAMP(3),
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "orders_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "flags" (
    "name" TEXT NOT NULL,
    "enabled" BOOLEAN NOT NULL,
    "updated_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "flags_pkey" PRIMARY KEY ("name")
);

-- CreateTable
CREATE TABLE "coupons" (
    "code" TEXT NOT NULL,
    "percent" INTEGER NOT NULL,
    "redemptions" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "coupons_pkey" PRIMARY KEY ("code")
);

-- CreateTable
CREATE TABLE "loyalty_accounts" (
    "customer" TEXT NOT NULL,
    "points" INTEGER NOT NULL,

    CONSTRAINT "loyalty_accounts_pkey" PRIMARY KEY ("customer")
);

-- CreateTable
CREATE TABLE "price_rules" (
    "sku" TEXT NOT NULL,
    "percent" INTEGER NOT NULL,

    CONSTRAINT "price_rules_pkey" PRIMARY KEY ("sku")
);

-- CreateTable
CREATE TABLE "invoice_numbers" (
    "series" TEXT NOT NULL,
    "last" INTEGER NOT NULL,

    CONSTRAINT "invoice_numbers_pkey" PRIMARY KEY ("series")
);

-- CreateTable
CREATE TABLE "invoices" (
    "number" INTEGER NOT NULL,
    "reference" TEXT NOT NULL,
    "total_cents" INTEGER NOT NULL,
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "invoices_pkey" PRIMARY KEY ("number")
);

-- CreateTable
CREATE TABLE "event_counts" (
    "kind" TEXT NOT NULL,
    "day" DATE NOT NULL,
    "count" INTEGER NOT NULL,

    CONSTRAINT "event_counts_pkey" PRIMARY KEY ("kind","day")
);

-- CreateTable
CREATE TABLE "moderation_decisions" (
    "id" SERIAL NOT NULL,
    "accepted" BOOLEAN NOT NULL,
    "words" TEXT[],
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "moderation_decisions_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "schedules" (
    "name" TEXT NOT NULL,
    "every_seconds" INTEGER NOT NULL,
    "due_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "runs" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "schedules_pkey" PRIMARY KEY ("name")
);

-- CreateTable
CREATE TABLE "settlements" (
    "tick" INTEGER NOT NULL,
    "orders" INTEGER NOT NULL,
    "total_cents" INTEGER NOT NULL,

    CONSTRAINT "settlements_pkey" PRIMARY KEY ("tick")
);

-- CreateTable
CREATE TABLE "reconciliations" (
    "tick" INTEGER NOT NULL,
    "settled_orders_cents" BIGINT NOT NULL,
    "settlements_cents" BIGINT NOT NULL,

    CONSTRAINT "reconciliations_pkey" PRIMARY KEY ("tick")
);

-- CreateIndex
CREATE UNIQUE INDEX "orders_reference_key" ON "orders"("reference");

-- CreateIndex
CREATE INDEX "orders_created_at_idx" ON "orders"("created_at");

-- CreateIndex
CREATE INDEX "orders_unsettled_idx" ON "orders"("id") WHERE "settled_at" IS NULL;

-- Search serves from this index where there is no Meilisearch
CREATE INDEX "products_text_idx" ON "products" USING GIN (to_tsvector('simple', "name" || ' ' || "description"));

-- AddForeignKey
ALTER TABLE "product_images" ADD CONSTRAINT "product_images_sku_fkey" FOREIGN KEY ("sku") REFERENCES "products"("sku") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "orders" ADD CONSTRAINT "orders_sku_fkey" FOREIGN KEY ("sku") REFERENCES "products"("sku") ON DELETE RESTRICT ON UPDATE CASCADE;
