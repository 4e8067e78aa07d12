{{- /* What the schema cannot say: settings that contradict each other. */ -}}

{{- define "simops.check" -}}
{{- $store := .Values.store -}}
{{- if and $store.embedded.enabled $store.endpoint -}}
{{- fail "store.endpoint names an external store, but store.embedded.enabled is true: set store.embedded.enabled=false or leave store.endpoint empty" -}}
{{- end -}}
{{- if and (not $store.embedded.enabled) (not $store.endpoint) -}}
{{- fail "store.endpoint is needed when store.embedded.enabled is false: the external store as http(s)://host[:port], for example https://s3.eu-central-1.amazonaws.com" -}}
{{- end -}}
{{- if ne (empty $store.credentials.accessKey) (empty $store.credentials.secretKey) -}}
{{- fail "store.credentials needs both accessKey and secretKey, or neither" -}}
{{- end -}}
{{- if and $store.existingSecret $store.credentials.accessKey -}}
{{- fail "store.existingSecret and store.credentials exclude each other: keep one of them" -}}
{{- end -}}
{{- if and (eq .Values.operator.strategy.type "Recreate") .Values.operator.strategy.rollingUpdate -}}
{{- fail "operator.strategy.rollingUpdate must be null when operator.strategy.type is Recreate" -}}
{{- end -}}
{{- if eq (int .Values.operator.httpPort) 8080 -}}
{{- fail "operator.httpPort must not be 8080: the liveness endpoint is there" -}}
{{- end -}}
{{- if and .Values.monitoring.serviceMonitor.enabled .Values.operator.httpPort .Values.networkPolicies.enabled (not .Values.networkPolicies.metricsFrom) -}}
{{- fail "monitoring.serviceMonitor.enabled needs networkPolicies.metricsFrom: where Prometheus is, as NetworkPolicy peers; nobody else reaches the operator's /metrics" -}}
{{- end -}}
{{- range .Values.operator.extraEnv -}}
{{- if hasPrefix "SIMOPS_" .name -}}
{{- fail (printf "operator.extraEnv: %s is set by the chart; use the value that it comes from" .name) -}}
{{- end -}}
{{- end -}}
{{- range .Values.gateway.extraEnv -}}
{{- if hasPrefix "SIMOPS_" .name -}}
{{- fail (printf "gateway.extraEnv: %s is set by the chart; use the value that it comes from" .name) -}}
{{- end -}}
{{- end -}}
{{- $gateway := .Values.gateway -}}
{{- if ne (eq $gateway.auth.mode "static") (not (empty $gateway.auth.staticTokensSecret)) -}}
{{- fail "gateway.auth.staticTokensSecret names the Secret of tokens when gateway.auth.mode is static, and only then" -}}
{{- end -}}
{{- if not .Values.rbac.clusterWide -}}
{{- if .Values.simulations.createNamespaces -}}
{{- fail "simulations.createNamespaces needs rbac.clusterWide: namespaces belong to the cluster; have them made, and leave it false" -}}
{{- end -}}
{{- if and $gateway.enabled (eq $gateway.auth.mode "static") -}}
{{- fail "gateway.auth.mode=static needs rbac.clusterWide: what users of a file may do only a SubjectAccessReview tells, which is a right of the whole cluster; use gateway.auth.mode=kubernetes" -}}
{{- end -}}
{{- if and $gateway.enabled $gateway.auth.audiences -}}
{{- fail "gateway.auth.audiences needs rbac.clusterWide: without it the API server is asked with the caller's own token, which must be meant for the API server; leave it empty" -}}
{{- end -}}
{{- end -}}
{{- if and $gateway.ingress.enabled (not $gateway.ingress.host) -}}
{{- fail "gateway.ingress.host is needed when gateway.ingress.enabled is true" -}}
{{- end -}}
{{- if and .Values.images.requireDigest $gateway.defaultImage (not (regexMatch "^.+@sha256:[0-9a-f]{64}$" $gateway.defaultImage)) -}}
{{- fail (printf "gateway.defaultImage: %s is not named by its digest, which images.requireDigest asks for: write it as name@sha256:..." $gateway.defaultImage) -}}
{{- end -}}
{{- range $resource, $maximum := include "simops.maxResources" . | fromYaml -}}
{{- range $field, $defaults := $.Values.simulations.resources -}}
{{- $default := include "simops.quantity" (get $defaults $resource) -}}
{{- if and (hasKey $defaults $resource) (gt (include "simops.amount" $default | float64) (include "simops.amount" $maximum | float64)) -}}
{{- fail (printf "simulations.maxResources.%s: %s is less than simulations.resources.%s.%s (%s), which a simulation has that gives none: lower that too" $resource $maximum $field $resource $default) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if ge (int $gateway.shutdownSeconds) (sub (int $gateway.terminationGracePeriodSeconds) 5 | int) -}}
{{- fail "gateway.terminationGracePeriodSeconds must be more than 5 s longer than gateway.shutdownSeconds" -}}
{{- end -}}
{{- if and $gateway.autoscaling.enabled (gt (int $gateway.autoscaling.minReplicas) (int $gateway.autoscaling.maxReplicas)) -}}
{{- fail "gateway.autoscaling.minReplicas must not be greater than maxReplicas" -}}
{{- end -}}
{{- end -}}
