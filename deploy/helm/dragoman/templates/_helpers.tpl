{{/* What the objects are called. */}}
{{- define "dragoman.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* By what pods are found. Never changes in the life of a release. */}}
{{- define "dragoman.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "dragoman.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "dragoman.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "dragoman.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "dragoman.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "dragoman.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The configuration as the program gets it: with volumes, the folder of queues on disk is there to be used. */}}
{{- define "dragoman.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- if eq .Values.mode "statefulset" -}}
{{- $storage := dict "directory" (printf "%s/queue" .Values.persistence.mountPath) "create_directory" true -}}
{{- $extensions := default (dict) $config.extensions -}}
{{- $_ := set $config "extensions" (mergeOverwrite (dict "file_storage" $storage) $extensions) -}}
{{- if not (has "file_storage" $config.service.extensions) -}}
{{- $_ := set $config.service "extensions" (append $config.service.extensions "file_storage") -}}
{{- end -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* 1.30 and later have it without a feature gate. There is no shell in the image that could sleep. */}}
{{- define "dragoman.preStopSleepSeconds" -}}
{{- if semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version -}}
{{- .Values.preStopSleepSeconds -}}
{{- else -}}
0
{{- end -}}
{{- end -}}

{{/* What happens before SIGTERM, what the program takes, and a little more. */}}
{{- define "dragoman.gracePeriodSeconds" -}}
{{- add (include "dragoman.preStopSleepSeconds" .) .Values.shutdownTimeoutSeconds 5 -}}
{{- end -}}
