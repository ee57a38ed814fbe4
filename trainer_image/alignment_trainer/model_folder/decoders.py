"""Which models the trainer can train, by the model_type in their config.json."""

_DECODERS = """
afmoe apertus arcee aria_text axk1 axk2 bailing_hybrid bamba beam bert-generation biogpt bitnet bloom blt codegen cohere
cohere2 cohere2_moe cohere_compass_text cpmant ctrl cwm dbrx deepseek_v2 deepseek_v3 deepseek_v32 deepseek_v4 diffllama
doge dots1 dots3_note dots3_note_text emu3 ernie4_5 ernie4_5_moe exaone4 exaone_moe falcon falcon_h1 falcon_mamba
flex_olmo flint fuyu gemma gemma2 gemma3 gemma3_text gemma3n gemma3n_text gemma4 gemma4_assistant gemma4_text
gemma4_unified gemma4_unified_assistant gemma4_unified_text git glm glm4 glm4_moe glm4_moe_lite glm_moe_dsa got_ocr2
gpt-sw3 gpt2 gpt_bigcode gpt_neo gpt_neox gpt_neox_japanese gpt_oss gptj granite granite_swa granitemoe granitemoe_swa
granitemoehybrid granitemoeshared helium hrm_text hunyuan_v1_dense hunyuan_v1_moe hy_v3 hy_v4 hyperclovax inkling2_text
inkling_text internlm3 iquestcoder jais2 jamba jetmoe kimi_linear kolibri1 laguna lfm2 lfm2_moe lfm3 llama llama4
llama4_text longcat_flash mamba mamba2 mellum mimo_v2_flash minicpm3 minimax minimax_m2 minimax_m3_vl_text ministral
ministral3 mistral mixtral mllama modernbert-decoder moshi moss_transcribe_diarize mpt nanochat nemotron nemotron_h olmo
olmo2 olmo3 olmo_hybrid olmoe openai-gpt opt persimmon phi phi3 phi4_multimodal phimoe qwen2 qwen2_moe qwen3 qwen3_5
qwen3_5_moe qwen3_5_moe_text qwen3_5_text qwen3_moe qwen3_next qwen4_exp qwen4_exp_text recurrent_gemma rwkv seed_oss
smollm3 solar_open stablelm starcoder2 trocr vaultgemma xglm xlnet xlstm youtu zamba zamba2 zaya
"""
_READ_BOTH_WAYS = """
bert big_bird camembert data2vec-text electra ernie megatron-bert reformer rembert roberta roberta-prelayernorm roc_bert
roformer xlm xlm-roberta xlm-roberta-xl xmod
"""
_ENCODER_DECODERS = """
bart bigbird_pegasus blenderbot blenderbot-small canary cohere_asr dia encoder-decoder fsmt led longt5 m2m_100 marian
mbart moonshine moonshine_streaming mt5 musicgen musicgen_melody mvp nllb-moe pegasus pegasus_x plbart pop2piano
prophetnet seamless_m4t seamless_m4t_v2 speech-encoder-decoder speech_to_text speecht5 switch_transformers t5 t5gemma
t5gemma2 umt5 whisper
"""

DECODERS = frozenset(_DECODERS.split())
"""Models that transformers can load to generate text from left to right; a test compares them with its own table."""

READ_BOTH_WAYS = frozenset(_READ_BOTH_WAYS.split())
"""Encoders, which are decoders too where config.json sets is_decoder."""

ENCODER_DECODERS = frozenset(_ENCODER_DECODERS.split())
"""Models that read one text and write another."""
