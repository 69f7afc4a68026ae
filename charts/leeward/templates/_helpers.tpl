{{/* Names of the Deployment and its ServiceAccount are fixed: `leeward` looks for them. */}}
{{- define "leeward.operator" -}}leeward-operator{{- end }}

{{- define "leeward.clusterName" -}}leeward-operator-{{ .Release.Namespace }}{{- end }}

{{- define "leeward.labels" -}}
app.kubernetes.io/name: leeward
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* By these the NetworkPolicies of workloads let the operator in. */}}
{{- define "leeward.operatorSelector" -}}
app.kubernetes.io/name: leeward
app.kubernetes.io/component: operator
{{- end }}

{{/* A full image reference from {repository, tag, digest} and the default tag. */}}
{{- define "leeward.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ .image.tag | default .defaultTag }}
{{- end -}}
{{- end }}

{{- define "leeward.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "leeward.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "leeward.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Ports of the servers in transitAddresses, as a JSON array: 443 where none is named. */}}
{{- define "leeward.transitPorts" -}}
{{- $ports := list }}
{{- range .Values.transitAddresses }}
{{- $port := regexFind ":[0-9]+/?$" . | trimPrefix ":" | trimSuffix "/" }}
{{- $ports = append $ports (int (default "443" $port)) }}
{{- end }}
{{- $ports | uniq | toJson }}
{{- end }}
