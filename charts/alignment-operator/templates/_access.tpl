{{/* (list ROOT COMPONENT NAME RULES): grants RULES to the ServiceAccount NAME, in all namespaces or in watchNamespaces. */}}
{{- define "alignment.access" -}}
{{- $root := index . 0 -}}
{{- $labels := include "alignment.labels" (list $root (index . 1)) -}}
{{- $name := index . 2 -}}
{{- $rules := index . 3 -}}
{{- $scope := ternary "Role" "ClusterRole" (not (empty $root.Values.watchNamespaces)) -}}
{{- range $root.Values.watchNamespaces | default (list "") }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $scope }}
metadata:
  name: {{ $name }}
  {{- with . }}
  namespace: {{ . }}
  {{- end }}
  labels: {{- $labels | nindent 4 }}
rules: {{- $rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $scope }}Binding
metadata:
  name: {{ $name }}
  {{- with . }}
  namespace: {{ . }}
  {{- end }}
  labels: {{- $labels | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $scope }}
  name: {{ $name }}
subjects:
  - kind: ServiceAccount
    name: {{ $name }}
    namespace: {{ $root.Release.Namespace }}
{{- end }}
{{- end }}

{{/* LEASE: the rights that its holder needs. */}}
{{- define "alignment.leaseRules" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  # RBAC cannot restrict `create` to a name.
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ . }}]
  verbs: [get, update]
{{- end }}

{{/* (list ROOT NAMESPACE NAME LEASE): allows the operator's ServiceAccount to hold LEASE in NAMESPACE, with a Role NAME. */}}
{{- define "alignment.leaseAccess" -}}
{{- $root := index . 0 -}}
{{- $labels := include "alignment.labels" (list $root "operator") }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ index . 2 }}
  namespace: {{ index . 1 }}
  labels: {{- $labels | nindent 4 }}
rules: {{- include "alignment.leaseRules" (index . 3) | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ index . 2 }}
  namespace: {{ index . 1 }}
  labels: {{- $labels | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ index . 2 }}
subjects:
  - kind: ServiceAccount
    name: {{ include "alignment.name" $root }}
    namespace: {{ $root.Release.Namespace }}
{{- end }}
