{{- /* Names, labels and images. */ -}}

{{- define "simops.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- /* What selects the Pods of one component: (list . "operator"). It may never change. */ -}}
{{- define "simops.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: simops
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "simops.labels" -}}
{{- $root := index . 0 -}}
{{ include "simops.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- /* An image of {repository, tag, digest}: (list . image). */ -}}
{{- define "simops.image" -}}
{{- $root := index . 0 -}}
{{- $image := index . 1 -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ default $root.Chart.AppVersion $image.tag }}
{{- end -}}
{{- end -}}

{{- define "simops.pullSecrets" -}}
{{- with .Values.images.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{- /* What every container of the chart runs as. */ -}}
{{- define "simops.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "simops.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- /* The part of a cluster-scoped name that is this release's own. */ -}}
{{- define "simops.clusterSuffix" -}}
{{ include "simops.fullname" . }}.{{ .Release.Namespace }}.simops.dev
{{- end -}}

{{- /* An anchored RE2 expression of glob patterns: `*` is any characters, all else is itself. */ -}}
{{- define "simops.globs" -}}
{{- $alternatives := list -}}
{{- range . -}}
{{- $parts := list -}}
{{- range splitList "*" . -}}
{{- $parts = append $parts (regexQuoteMeta .) -}}
{{- end -}}
{{- $alternatives = append $alternatives (join ".*" $parts) -}}
{{- end -}}
^(?:{{ join "|" $alternatives }})$
{{- end -}}
