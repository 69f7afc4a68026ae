{{/* Made by tools/generate from leeward.api. Change the models, then: make generate */}}
{{- define "leeward.kinds" -}}KeyVault,Dataset,DatasetPreview,MaskingJob,KeyDelivery{{- end }}
{{- define "leeward.resources" -}}keyvaults,datasets,datasetpreviews,maskingjobs,keydeliveries{{- end }}
{{- define "leeward.statuses" -}}keyvaults/status,datasets/status,datasetpreviews/status,maskingjobs/status,keydeliveries/status{{- end }}
{{- define "leeward.workloads" -}}datasetpreviews,maskingjobs,keydeliveries{{- end }}
{{- define "leeward.declarations" -}}keyvaults,datasets{{- end }}
