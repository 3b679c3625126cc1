package main

import (
	"database/sql"
	"log/slog"
	"net/http"
	"path"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"wxpass/graph"
	"wxpass/wechat"
)

// metrics are what an operator's Prometheus reads. No label holds anything of a user's or of a request's own.
type metrics struct {
	registry *prometheus.Registry
	answers  *prometheus.CounterVec   // by route and status
	took     *prometheus.HistogramVec // by route
	errors   *prometheus.CounterVec   // by code
	asked    *prometheus.HistogramVec // WeChat, by endpoint
}

// quick are the bounds, in seconds, between which answers are counted.
var quick = []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "wxpass_http_answers_total",
			Help: "Requests answered, by route and HTTP status."}, []string{"route", "status"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "wxpass_http_answer_seconds",
			Help: "How long answers took, by route.", Buckets: quick}, []string{"route"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "wxpass_graphql_errors_total",
			Help: "Errors in answers, by code."}, []string{"code"}),
		asked: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "wxpass_wechat_answer_seconds",
			Help: "How long WeChat took to begin an answer, or to fail, by endpoint.", Buckets: quick}, []string{"endpoint"}),
	}
	m.registry.MustRegister(m.answers, m.took, m.errors, m.asked,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewBuildInfoCollector())
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.InstrumentMetricHandler(m.registry, promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
}

// serve serves them at addr alone, if there is one, until stop is called.
func (m *metrics) serve(p *program, addr string, log *slog.Logger) (stop func(), err error) {
	if addr == "" {
		return func() {}, nil
	}
	listener, err := listen(addr, "METRICS_ADDR", p.now)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.handler())
	log.Info("serving metrics", "address", listener.Addr().String())
	return serveAside(p, listener, mux, func(err error) { log.Error("metrics are not served any more", "err", err) }), nil
}

// answered counts an answer; route is a pattern of ours, empty when there is none for the request.
func (m *metrics) answered(route string, status int, took time.Duration) {
	if route == "" {
		route = "none"
	}
	m.answers.WithLabelValues(route, strconv.Itoa(status)).Inc()
	m.took.WithLabelValues(route).Observe(took.Seconds())
}

// failed counts an error that a client was told of.
func (m *metrics) failed(code graph.ErrorCode) { m.errors.WithLabelValues(string(code)).Inc() }

// transport times the requests that next makes to WeChat.
func (m *metrics) transport(next http.RoundTripper, now func() time.Time) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		began := now()
		res, err := next.RoundTrip(r)
		m.asked.WithLabelValues(path.Base(r.URL.Path)).Observe(now().Sub(began).Seconds())
		return res, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip makes an http.RoundTripper of it.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// watch adds what is read off the clients and the database when somebody asks.
func (m *metrics) watch(clients []*wechat.Client, pool func() sql.DBStats) {
	m.registry.MustRegister(wechatCollector(clients), poolCollector(pool))
}

// wechatCollector tells how WeChat's endpoints fare.
type wechatCollector []*wechat.Client

var (
	wechatLabels   = []string{"appid", "endpoint"}
	wechatCalls    = prometheus.NewDesc("wxpass_wechat_calls_total", "Calls to WeChat, by outcome; not_sent are those there was no room for, or no point in.", append(wechatLabels, "outcome"), nil)
	wechatInFlight = prometheus.NewDesc("wxpass_wechat_in_flight", "Calls to WeChat under way.", wechatLabels, nil)
	wechatResting  = prometheus.NewDesc("wxpass_wechat_resting", "1 while an endpoint is left alone because too many calls failed.", wechatLabels, nil)
	wechatRefusing = prometheus.NewDesc("wxpass_wechat_refusing", "1 while WeChat refuses the app's id, secret or address; the log says what to fix.", wechatLabels, nil)
)

// Describe implements prometheus.Collector.
func (c wechatCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{wechatCalls, wechatInFlight, wechatResting, wechatRefusing} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c wechatCollector) Collect(to chan<- prometheus.Metric) {
	for _, client := range c {
		for _, h := range client.Health() {
			labels := []string{client.AppID, path.Base(h.Path)}
			for outcome, n := range h.Calls {
				to <- prometheus.MustNewConstMetric(wechatCalls, prometheus.CounterValue, float64(n), append(labels, outcome)...)
			}
			to <- prometheus.MustNewConstMetric(wechatInFlight, prometheus.GaugeValue, float64(h.InFlight), labels...)
			to <- prometheus.MustNewConstMetric(wechatResting, prometheus.GaugeValue, one(h.Resting), labels...)
			to <- prometheus.MustNewConstMetric(wechatRefusing, prometheus.GaugeValue, one(h.Refusal != nil), labels...)
		}
	}
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// poolCollector tells how the database's connections are used.
type poolCollector func() sql.DBStats

var (
	poolMax    = prometheus.NewDesc("wxpass_db_connections_max", "Database connections at most.", nil, nil)
	poolInUse  = prometheus.NewDesc("wxpass_db_connections_in_use", "Database connections in use.", nil, nil)
	poolIdle   = prometheus.NewDesc("wxpass_db_connections_idle", "Database connections open and idle.", nil, nil)
	poolWaits  = prometheus.NewDesc("wxpass_db_waits_total", "Times a request waited for a database connection.", nil, nil)
	poolWaited = prometheus.NewDesc("wxpass_db_wait_seconds_total", "How long requests waited for database connections, in all.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c poolCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{poolMax, poolInUse, poolIdle, poolWaits, poolWaited} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c poolCollector) Collect(to chan<- prometheus.Metric) {
	s := c()
	to <- prometheus.MustNewConstMetric(poolMax, prometheus.GaugeValue, float64(s.MaxOpenConnections))
	to <- prometheus.MustNewConstMetric(poolInUse, prometheus.GaugeValue, float64(s.InUse))
	to <- prometheus.MustNewConstMetric(poolIdle, prometheus.GaugeValue, float64(s.Idle))
	to <- prometheus.MustNewConstMetric(poolWaits, prometheus.CounterValue, float64(s.WaitCount))
	to <- prometheus.MustNewConstMetric(poolWaited, prometheus.CounterValue, s.WaitDuration.Seconds())
}
