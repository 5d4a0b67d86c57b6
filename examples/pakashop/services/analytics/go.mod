module pakashop/analytics

go 1.19

require (
	github.com/lib/pq v1.10.9
	pakashop/service v0.0.0
)

replace pakashop/service => ../../packages/service-go
