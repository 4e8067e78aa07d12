{{- /* Pieces of NetworkPolicies. */ -}}

{{- /* Peers of CIDRs: any address but the excepted ones: (list except). */ -}}
{{- define "simops.anywhereBut" -}}
{{- $four := list -}}
{{- $six := list -}}
{{- range . -}}
{{- if contains ":" . -}}{{- $six = append $six . -}}{{- else -}}{{- $four = append $four . -}}{{- end -}}
{{- end -}}
- ipBlock:
    cidr: 0.0.0.0/0
    {{- with $four }}
    except: {{ toYaml . | nindent 6 }}
    {{- end }}
- ipBlock:
    cidr: ::/0
    {{- with $six }}
    except: {{ toYaml . | nindent 6 }}
    {{- end }}
{{- end -}}

{{- /* The egress rule to the store. */ -}}
{{- define "simops.egress.store" -}}
{{- $external := .Values.networkPolicies.store -}}
{{- if .Values.store.embedded.enabled }}
- to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: {{ .Release.Namespace }}
      podSelector:
        matchLabels: {{ include "simops.selector" (list . "minio") | nindent 10 }}
  ports:
    - {protocol: TCP, port: 9000}
{{- else }}
- to:
    {{- if or $external.cidrs $external.peers }}
    {{- range $external.cidrs }}
    - ipBlock:
        cidr: {{ . }}
    {{- end }}
    {{- with $external.peers }}{{ toYaml . | nindent 4 }}{{ end }}
    {{- else if include "simops.store.cidr" . }}
    - ipBlock:
        cidr: {{ include "simops.store.cidr" . }}
    {{- else }}
    {{- include "simops.anywhereBut" .Values.networkPolicies.instanceMetadata | nindent 4 }}
    {{- end }}
  ports:
    {{- range default (list (include "simops.store.port" .)) $external.ports }}
    - {protocol: TCP, port: {{ int . }}}
    {{- end }}
{{- end }}
{{- end -}}

{{- define "simops.egress.dns" -}}
{{- with .Values.networkPolicies.dns }}
- to: {{ toYaml .peers | nindent 4 }}
  ports:
    - {protocol: UDP, port: {{ int .port }}}
    - {protocol: TCP, port: {{ int .port }}}
{{- end }}
{{- end -}}

{{- /* The egress rule to the API server, which is no Pod. */ -}}
{{- define "simops.egress.apiServer" -}}
- to:
    {{- range .Values.networkPolicies.apiServer.cidrs }}
    - ipBlock:
        cidr: {{ . }}
    {{- else }}
    {{- include "simops.anywhereBut" .Values.networkPolicies.instanceMetadata | nindent 4 }}
    {{- end }}
  ports:
    {{- range .Values.networkPolicies.apiServer.ports }}
    - {protocol: TCP, port: {{ int . }}}
    {{- end }}
{{- end -}}

{{- /* The egress rule to the collector of traces, by its port: where it is the chart cannot know. */ -}}
{{- define "simops.egress.tracing" -}}
{{- with .Values.tracing.endpoint }}
{{- $url := urlParse . }}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" }}
- to: {{ include "simops.anywhereBut" $.Values.networkPolicies.instanceMetadata | nindent 4 }}
  ports:
    - {protocol: TCP, port: {{ default (ternary "443" "80" (eq $url.scheme "https")) $port | int }}}
{{- end }}
{{- end -}}
