{{- /* The most that a simulation may ask for, of each resource that has a maximum. */ -}}

{{- /* As YAML: resource to quantity. */ -}}
{{- define "simops.maxResources" -}}
{{- range $resource, $maximum := .Values.simulations.maxResources }}
{{- $text := include "simops.quantity" $maximum }}
{{- if $text }}
{{ $resource }}: {{ $text | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* As operator and gateway read it: resource=quantity, separated by commas. */ -}}
{{- define "simops.maxResourcesText" -}}
{{- $pairs := list -}}
{{- range $resource, $maximum := include "simops.maxResources" . | fromYaml -}}
{{- $pairs = append $pairs (printf "%s=%s" $resource $maximum) -}}
{{- end -}}
{{- join "," $pairs -}}
{{- end -}}

{{- /* A quantity as text: helm reads a large whole number as floating point, and would write it as one. */ -}}
{{- define "simops.quantity" -}}
{{- kindIs "float64" . | ternary (int64 .) . -}}
{{- end -}}

{{- /* A quantity as a floating-point number, to compare it. */ -}}
{{- define "simops.amount" -}}
{{- $units := dict "" 1.0 "m" 0.001 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "E" 1e18 -}}
{{- range $power, $unit := list "Ki" "Mi" "Gi" "Ti" "Pi" "Ei" -}}
{{- $_ := set $units $unit (float64 (printf "0x1p%d" (mul 10 (add1 $power)))) -}}
{{- end -}}
{{- $number := regexFind "^[0-9.]+" . -}}
{{- mulf (float64 $number) (get $units (trimPrefix $number .)) -}}
{{- end -}}
