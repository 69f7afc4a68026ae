{{/* Made by tools/generate from leeward.api. Change the models, then: make generate */}}
{{- define "leeward.kinds" -}}KeyVault,Dataset,DatasetPreview,MaskingJob{{- end }}
{{- define "leeward.resources" -}}keyvaults,datasets,datasetpreviews,maskingjobs{{- end }}
{{- define "leeward.statuses" -}}keyvaults/status,datasets/status,datasetpreviews/status,maskingjobs/status{{- end }}
{{- define "leeward.workloads" -}}datasetpreviews,maskingjobs{{- end }}
{{- define "leeward.declarations" -}}keyvaults,datasets{{- end }}
