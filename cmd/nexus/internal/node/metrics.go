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
	blobs := n.Store.Blobs().Stats
	count("nexus_blobs_removed_total", "Contents removed because nothing named them any more.", func() float64 { return float64(blobs().Removed) })
	count("nexus_blobs_removed_bytes_total", "Bytes in those.", func() float64 { return float64(blobs().RemovedBytes) })
	count("nexus_blobs_checked_total", "Contents compared with their hashes.", func() float64 { return float64(blobs().Checked) })
	count("nexus_blobs_harmed_total", "Times that contents were found missing or changed.", func() float64 { return float64(blobs().Harmed) })
	gauge("nexus_disk_free_bytes", "What is free where the data directory is.", func() float64 { return float64(n.Room.Free()) })
	gauge("nexus_disk_refuses", "1 while operations are refused because the disk is full.", func() float64 {
		if n.Room.Notice() != "" {
			return 1
		}
		return 0
	})
	gauge("nexus_audit_healthy", "1 while decisions can be recorded.", func() float64 {
		if n.Service.Record().Healthy() != nil {
			return 0
		}
		return 1
	})
}
