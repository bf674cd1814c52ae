package ga

import (
	"hopper/adapters/input/rows/record"
	"hopper/pipeline"
)

// actions are the steps of enhanced e-commerce by eCommerceAction.action_type.
var actions = map[string]string{
	"1": "click", "2": "detail", "3": "add", "4": "remove", "5": "checkout", "6": "purchase", "7": "refund", "8": "checkout_option",
}

// commerce adds what was done to products and promotions. Those that a page
// merely showed, hundreds at times, are counted and left out.
func (s *session) commerce(h *record.Value, ev *pipeline.Event) {
	action := actions[h.Get("eCommerceAction").Get("action_type").String()]
	if action != "" {
		ev.Properties = append(ev.Properties, pipeline.Property{Key: "ecommerce_action", Value: action})
	}
	var products, promotions list
	for _, p := range h.Get("product").Elements() {
		if action == "" || p.Get("isImpression").String() == "true" {
			s.out.Repair(ev.Origin, repairImpression)
			continue
		}
		products.open()
		products.text("id", textAt(&p, "productSKU"))
		products.text("name", textAt(&p, "v2ProductName"))
		products.text("brand", textAt(&p, "productBrand"))
		products.text("category", textAt(&p, "v2ProductCategory"))
		products.text("variant", textAt(&p, "productVariant"))
		products.number("price", micros(textAt(&p, "productPrice")))
		products.number("quantity", textAt(&p, "productQuantity"))
		products.number("revenue", micros(textAt(&p, "productRevenue")))
		products.text("coupon", textAt(&p, "productCouponCode"))
		products.text("list", textAt(&p, "productListName"))
		products.close()
	}
	ev.Properties = products.property(ev.Properties, "products")

	clicked := h.Get("promotionActionInfo").Get("promoIsClick").String() == "true"
	for _, p := range h.Get("promotion").Elements() {
		if !clicked {
			s.out.Repair(ev.Origin, repairPromotion)
			continue
		}
		promotions.open()
		promotions.text("id", textAt(&p, "promoId"))
		promotions.text("name", textAt(&p, "promoName"))
		promotions.text("creative", textAt(&p, "promoCreative"))
		promotions.text("position", textAt(&p, "promoPosition"))
		promotions.close()
	}
	ev.Properties = promotions.property(ev.Properties, "promotions")

	transaction, item := h.Get("transaction"), h.Get("item")
	id := first(textAt(transaction, "transactionId"), textAt(item, "transactionId"))
	if id == "" {
		return
	}
	ev.Properties = textProperty(ev.Properties, "transaction_id", id)
	ev.Properties = textProperty(ev.Properties, "affiliation", textAt(transaction, "affiliation"))
	ev.Properties = textProperty(ev.Properties, "currency", first(textAt(transaction, "currencyCode"), textAt(item, "currencyCode")))
	for _, f := range [...]struct{ key, text string }{
		{"revenue", micros(textAt(transaction, "transactionRevenue"))}, {"tax", micros(textAt(transaction, "transactionTax"))},
		{"shipping", micros(textAt(transaction, "transactionShipping"))},
		{"item_revenue", micros(textAt(item, "itemRevenue"))}, {"item_quantity", textAt(item, "itemQuantity")},
	} {
		if f.text != "" {
			ev.Properties = append(ev.Properties, property(f.key, f.text, true))
		}
	}
	ev.Properties = textProperty(ev.Properties, "item_id", textAt(item, "productSku"))
	ev.Properties = textProperty(ev.Properties, "item_name", textAt(item, "productName"))
	ev.Properties = textProperty(ev.Properties, "item_category", textAt(item, "productCategory"))
}

// micros converts an amount of money, which Universal Analytics multiplies by
// 10^6.
func micros(s string) string {
	n, ok := parseInt(s)
	if !ok {
		return ""
	}
	return record.FormatFloat(float64(n) / 1e6)
}
