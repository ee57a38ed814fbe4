{{/* Names, labels and images of all objects of a release. */}}

{{- define "alignment.name" -}}
{{- /* Names have at most 63 characters; 40 leaves room for "-dashboard" and the suffixes of pods. */ -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* (list ROOT COMPONENT): pods have only these labels, so that a new chart version with the same images restarts no pod. */}}
{{- define "alignment.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ $root.Chart.Name }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* (list ROOT COMPONENT) */}}
{{- define "alignment.labels" -}}
{{- $root := index . 0 -}}
{{ include "alignment.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: {{ $root.Chart.Name }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* (list ROOT IMAGE) */}}
{{- define "alignment.image" -}}
{{- $root := index . 0 -}}
{{- $image := index . 1 -}}
{{- with $root.Values.image.registry }}{{ . | trimSuffix "/" }}/{{ end -}}
{{- $image.repository -}}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag | default $root.Chart.AppVersion }}{{ end -}}
{{- end }}

{{- define "alignment.mlflowHost" -}}
{{ include "alignment.name" . }}-mlflow.{{ .Release.Namespace }}.svc
{{- end }}

{{/* Training pods in other namespaces use this address too, so it includes the namespace. */}}
{{- define "alignment.trackingUri" -}}
{{- if and .Values.mlflow.enabled .Values.tracking.uri }}
{{- fail "tracking.uri names an existing MLflow server, but mlflow.enabled=true starts another one: set mlflow.enabled=false, or leave tracking.uri empty." }}
{{- else if and .Values.mlflow.enabled .Values.tracking.credentialsSecret }}
{{- fail "tracking.credentialsSecret is for an existing MLflow server, but the server of mlflow.enabled has no login: leave it empty, or set mlflow.enabled=false and tracking.uri." }}
{{- else if .Values.mlflow.enabled }}http://{{ include "alignment.mlflowHost" . }}:5000
{{- else }}{{ required "There is no MLflow server: set tracking.uri to an existing server, or set mlflow.enabled=true." .Values.tracking.uri }}
{{- end }}
{{- end }}
