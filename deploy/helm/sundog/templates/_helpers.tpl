{{- define "sundog.name" -}}
{{- if contains "sundog" .Release.Name }}{{ .Release.Name | trunc 53 | trimSuffix "-" }}{{ else }}{{ printf "%s-sundog" .Release.Name | trunc 53 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "sundog.labels" -}}
{{ include "sundog.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "sundog.selector" -}}
app.kubernetes.io/name: sundog
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
