{{/* The pod, the same in every mode but for ports of the node and volumes. */}}
{{- define "dragoman.pod" -}}
metadata:
  labels:
    {{- include "dragoman.selectorLabels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # Another configuration is another version of the pods.
    checksum/config: {{ include "dragoman.config" . | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "dragoman.serviceAccountName" . }}
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: {{ include "dragoman.gracePeriodSeconds" . }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  securityContext:
    {{- toYaml .Values.podSecurityContext | nindent 4 }}
    {{- if eq .Values.mode "statefulset" }}
    fsGroup: {{ .Values.securityContext.runAsGroup }}
    fsGroupChangePolicy: OnRootMismatch
    {{- end }}
  containers:
    - name: dragoman
      image: {{ include "dragoman.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args:
        - --config
        - /etc/dragoman/config.yaml
        - --shutdown-timeout
        - {{ printf "%vs" .Values.shutdownTimeoutSeconds }}
        {{- range .Values.extraArgs }}
        - {{ . | quote }}
        {{- end }}
      env:
        - name: MY_POD_IP
          valueFrom: { fieldRef: { fieldPath: status.podIP } }
        {{- with .Values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with .Values.extraEnvFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - name: otlp-grpc
          containerPort: 4317
          {{- if and (eq .Values.mode "daemonset") .Values.hostPorts.grpc }}
          hostPort: {{ .Values.hostPorts.grpc }}
          {{- end }}
        - name: otlp-http
          containerPort: 4318
          {{- if and (eq .Values.mode "daemonset") .Values.hostPorts.http }}
          hostPort: {{ .Values.hostPorts.http }}
          {{- end }}
        - name: metrics
          containerPort: 9464
        - name: self-metrics
          containerPort: 8888
        - name: health
          containerPort: 13133
      startupProbe:
        httpGet: { path: /, port: health }
        {{- toYaml .Values.startupProbe | nindent 8 }}
      readinessProbe:
        httpGet: { path: /, port: health }
        {{- toYaml .Values.readinessProbe | nindent 8 }}
      livenessProbe:
        httpGet: { path: /, port: health }
        {{- toYaml .Values.livenessProbe | nindent 8 }}
      {{- if gt (int (include "dragoman.preStopSleepSeconds" .)) 0 }}
      lifecycle:
        preStop:
          sleep: { seconds: {{ include "dragoman.preStopSleepSeconds" . }} }
      {{- end }}
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      securityContext:
        {{- toYaml .Values.securityContext | nindent 8 }}
      volumeMounts:
        - name: config
          mountPath: /etc/dragoman
          readOnly: true
        {{- if eq .Values.mode "statefulset" }}
        - name: queue
          mountPath: {{ .Values.persistence.mountPath }}
        {{- end }}
        {{- with .Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "dragoman.fullname" . }}
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
