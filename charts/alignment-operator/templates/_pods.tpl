{{/* Settings that all pods of the chart share; the pods comply with the Pod Security Standard "restricted". */}}

{{/* (list ROOT SETTINGS): SETTINGS are the values of the component */}}
{{- define "alignment.pod" -}}
{{- $root := index . 0 -}}
{{- $settings := index . 1 -}}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  # Without this, the kubelet visits every file of the volume at each start, which is slow for many files.
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $settings.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $settings.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "alignment.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{- define "alignment.trackingFolder" -}}
/etc/alignment-tracking
{{- end }}

{{- define "alignment.trackingVolume" -}}
{{- with .Values.tracking.credentialsSecret }}
- name: tracking-credentials
  secret:
    secretName: {{ . }}
    items: [{key: username, path: username}, {key: password, path: password}]
    defaultMode: 0440
{{- end }}
{{- end }}

{{- define "alignment.trackingMount" -}}
{{- if .Values.tracking.credentialsSecret }}
- {name: tracking-credentials, mountPath: {{ include "alignment.trackingFolder" . }}, readOnly: true}
{{- end }}
{{- end }}
