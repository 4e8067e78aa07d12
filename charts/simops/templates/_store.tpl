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

{{- /* Rolls Pods when credentials change that the chart knows of. */ -}}
{{- define "simops.store.checksum" -}}
{{- if include "simops.store.ownSecret" . -}}
checksum/store-credentials: {{ include "simops.store.credentials" . | sha256sum }}
{{- else -}}
checksum/store-credentials: {{ .Values.store.existingSecret | sha256sum }}
{{- end -}}
{{- end -}}
