{{- /* Where the store is, who may use it, and how Pods get there. */ -}}

{{- define "simops.minioName" -}}
{{ include "simops.fullname" . }}-minio
{{- end -}}

{{- define "simops.store.endpoint" -}}
{{- if .Values.store.embedded.enabled -}}
http://{{ include "simops.minioName" . }}.{{ .Release.Namespace }}.svc:9000
{{- else -}}
{{ .Values.store.endpoint }}
{{- end -}}
{{- end -}}

{{- define "simops.store.port" -}}
{{- $url := urlParse (include "simops.store.endpoint" .) -}}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" -}}
{{- default (ternary "443" "80" (eq $url.scheme "https")) $port -}}
{{- end -}}

{{- /* The endpoint as a CIDR if it is an address; empty if it is a name. */ -}}
{{- define "simops.store.cidr" -}}
{{- $url := urlParse (include "simops.store.endpoint" .) -}}
{{- if hasPrefix "[" $url.host -}}
{{ $url.hostname }}/128
{{- else if regexMatch "^[0-9]+([.][0-9]+){3}$" $url.hostname -}}
{{ $url.hostname }}/32
{{- end -}}
{{- end -}}

{{- /* "true" if the chart makes the Secret. */ -}}
{{- define "simops.store.ownSecret" -}}
{{- if and (not .Values.store.existingSecret) (or .Values.store.embedded.enabled .Values.store.credentials.accessKey) -}}
true
{{- end -}}
{{- end -}}

{{- /* Name of the Secret; empty: workload identity. */ -}}
{{- define "simops.store.secret" -}}
{{- if include "simops.store.ownSecret" . -}}
{{ .Values.store.secretName }}
{{- else -}}
{{ .Values.store.existingSecret }}
{{- end -}}
{{- end -}}

{{- /*
Data of the Secret: the given credentials, else those that the cluster has from an earlier installation, else new ones. They are
drawn once for all templates, as every call would draw others.
*/ -}}
{{- define "simops.store.credentials" -}}
{{- if not (hasKey .Values.store "resolved") -}}
{{- $given := .Values.store.credentials -}}
{{- $found := dict -}}
{{- if not $given.accessKey -}}
{{- $found = default dict (lookup "v1" "Secret" .Release.Namespace .Values.store.secretName).data -}}
{{- end -}}
{{- $access := default (default (printf "simops-%s" (randAlphaNum 13) | b64enc) (get $found "access-key")) ($given.accessKey | b64enc) -}}
{{- $secret := default (default (randAlphaNum 40 | b64enc) (get $found "secret-key")) ($given.secretKey | b64enc) -}}
{{- $_ := set .Values.store "resolved" (dict "access-key" $access "secret-key" $secret) -}}
{{- end -}}
{{ toYaml .Values.store.resolved }}
{{- end -}}

{{- /* "true" if each namespace of simulations has keys of its own: the operator makes them known to the embedded store. */ -}}
{{- define "simops.store.ownKeys" -}}
{{- if and .Values.store.embedded.enabled (include "simops.store.ownSecret" .) (without .Values.simulations.namespaces .Release.Namespace) -}}
true
{{- end -}}
{{- end -}}

{{- define "simops.store.keysSecret" -}}
{{ .Values.store.secretName }}-namespaces
{{- end -}}

{{- /*
Keys of one namespace of simulations, derived from the store's own by SHA-256: the same at each rendering, changed with them, and leading nowhere back
as long as the store's own secret key cannot be guessed. Call with (root, namespace).
*/ -}}
{{- define "simops.store.namespaceKeys" -}}
{{- $secret := get (include "simops.store.credentials" (index . 0) | fromYaml) "secret-key" | b64dec -}}
access-key: {{ printf "sim-%s" (printf "access/%s/%s" $secret (index . 1) | sha256sum | trunc 16) | b64enc }}
secret-key: {{ printf "secret/%s/%s" $secret (index . 1) | sha256sum | trunc 40 | b64enc }}
{{- end -}}

{{- /* Rolls Pods when credentials change that the chart knows of. */ -}}
{{- define "simops.store.checksum" -}}
{{- if include "simops.store.ownSecret" . -}}
checksum/store-credentials: {{ include "simops.store.credentials" . | sha256sum }}
{{- else -}}
checksum/store-credentials: {{ .Values.store.existingSecret | sha256sum }}
{{- end -}}
{{- end -}}
