package node

import "github.com/prometheus/client_golang/prometheus"

// observe adds what the decision service and the record count. No label holds a subject or an object.
func (n *Node) observe(r prometheus.Registerer) {
	cache, record := n.Service.Stats, n.Service.Record().Stats
	count := func(name, help string, f func() float64) {
		r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, f))
	}
	gauge := func(name, help string, f func() float64) {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f))
	}
	count("nexus_authz_questions_total", "Questions asked of the relations.", func() float64 { return float64(cache().Asked) })
	count("nexus_authz_cache_hits_total", "Checks answered from the decision cache.", func() float64 { return float64(cache().Hits) })
	gauge("nexus_authz_cache_entries", "Answers in the decision cache.", func() float64 { return float64(cache().Entries) })
	count("nexus_audit_entries_total", "Entries written to the decision record since the start.", func() float64 { return float64(record().Entries) })
	gauge("nexus_audit_healthy", "1 while decisions can be recorded.", func() float64 {
		if n.Service.Record().Healthy() != nil {
			return 0
		}
		return 1
	})
}
